// Prints who shows what: a subscriber of edan_ros/FaceEmotionArray in C++.
//
//   colcon build --paths . examples/cpp_listener
//   ros2 run cpp_listener cpp_listener --ros-args -r faces:=/front/faces

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "edan_ros/msg/face_emotion_array.hpp"
#include "rclcpp/rclcpp.hpp"

class CppListener : public rclcpp::Node
{
public:
  CppListener()
  : Node("cpp_listener"), remaining_(declare_parameter("arrays", 0))
  {
    // Results are reliable: none is lost while this node keeps up.
    subscription_ = create_subscription<edan_ros::msg::FaceEmotionArray>(
      "faces", rclcpp::QoS(10),
      [this](edan_ros::msg::FaceEmotionArray::ConstSharedPtr array) {on_faces(*array);});
  }

private:
  void on_faces(const edan_ros::msg::FaceEmotionArray & array)
  {
    std::ostringstream line;
    line.precision(2);
    line << std::fixed << array.faces.size() << " faces";
    for (const auto & face : array.faces) {
      line << "; " << face.track_id << ": " << face.label << " " << face.confidence;
      if (face.head_pose_valid) {
        line << " at " << face.head_pose.position.z << " m";
      }
      if (face.gaze_valid) {
        line << ", gaze " << face.gaze_yaw << " rad to the side";
      }
    }
    RCLCPP_INFO(get_logger(), "%s", line.str().c_str());
    // With the parameter arrays above 0, the node ends after so many.
    if (remaining_ > 0 && --remaining_ == 0) {
      rclcpp::shutdown();
    }
  }

  std::int64_t remaining_;
  rclcpp::Subscription<edan_ros::msg::FaceEmotionArray>::SharedPtr subscription_;
};

int main(int argc, char ** argv)
{
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<CppListener>());
  rclcpp::shutdown();
  return EXIT_SUCCESS;
}
