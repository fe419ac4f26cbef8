# ROS 2 with edan_ros:
#   docker build -t edan_ros .
#   docker run --rm -it --ipc=host --device /dev/video0 edan_ros \
#       ros2 launch edan_ros emotion.launch.py source:=0
# --ipc=host gives Fast DDS the shared memory that large images need.
ARG ROS=jazzy
FROM ros:${ROS}-ros-base
# OpenCV from apt needs NumPy 1 up to Kilted. From Lyrical on, build with --build-arg NUMPY="numpy>=2".
ARG NUMPY="numpy<2"
ENV PIP_BREAK_SYSTEM_PACKAGES=1

WORKDIR /ws
COPY . src/edan_ros
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-pip \
    && rosdep update --rosdistro "$ROS_DISTRO" \
    && rosdep install --from-paths src --ignore-src -y \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir "$NUMPY" 'rich>=13' onnxruntime av rosbags lz4 filelock \
        fontpkg-inter platformdirs psutil jinja2 'backports.zstd; python_version < "3.14"'
RUN . "/opt/ros/$ROS_DISTRO/setup.sh" && colcon build --packages-select edan_ros
RUN sed -i '/^exec/i source /ws/install/setup.bash' /ros_entrypoint.sh

CMD ["ros2", "launch", "edan_ros", "emotion.launch.py"]
